"""Train an inpainting network: ``python train.py --help``."""

from jaxinpaint.cli.train import main

if __name__ == "__main__":
    main()
