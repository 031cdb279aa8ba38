"""``python -m jaxinpaint``."""

from jaxinpaint.cli import main

if __name__ == "__main__":
    main()
