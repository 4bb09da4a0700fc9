"""Where the program begins. Little is imported here: Ctrl-C shall end it quietly while the rest is being imported."""

import sys


def main() -> None:
    """Run the command line and exit."""
    try:
        from groundcam_runtime import signals

        signals.end_on_interrupt()
        from groundcam import command_line

        signals.raise_on_interrupt()
        code = command_line.run()
        signals.end_on_interrupt()
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
