"""The part of the package that touches the disk, the clock and the screen."""
