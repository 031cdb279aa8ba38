"""The page on which holes are painted and filled (``jaxinpaint demo``); it needs Gradio."""
