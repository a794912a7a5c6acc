"""Main: the entry point `afterschool`; what is slow to load comes after the first line of `afterschool up`."""

import sys


def main() -> None:
    """Run the command that the arguments name."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["up"] and "--help" not in arguments:
        print("Starting Afterschool", flush=True)  # noqa: T201  nothing else is loaded yet
    from cli.command_line import command_line  # noqa: PLC0415  the first line does not wait for it

    command_line(arguments)()


if __name__ == "__main__":
    main()
