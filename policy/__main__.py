"""What the engine starts for `pulumi preview --policy-pack policy`."""

from policy.pack import start

if __name__ == "__main__":
    start()
