"""The command ``sidecar``: serve, look at what is configured, look at what happens, find out what is wrong.

program     the sub-commands, each imported only when it is called
exits       how a command ends: exit codes, and messages
options     options that several commands have
loading     the configuration that a command was given
asking      asking a running sidecar
received    calls as it tells them

run         with banner; check, stacks, extensions (`sidecar plugins`), show (`sidecar config`) with yaml_text
tail        with selection (which calls) and line (how one is written)
explain     with waterfall and hints
doctor      a list of checks
inject      with uninject: sidecars in Kubernetes manifests
status, version

keys        the settings that a Struct describes
legible     text for people: colours, tables, cut and cleaned
quantities  times and sizes for people
"""


def main() -> None:
    """Run the command line of this process, and exit."""
    from sidecar.cli.program import program

    program(prog_name="sidecar")
