"""``python -m trainers.demo``: train a tiny model from random weights."""

from trainers.demo.run import main

if __name__ == "__main__":
    main()
