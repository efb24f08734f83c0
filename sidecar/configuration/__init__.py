"""What is configured, read from a YAML file, the environment and the command line.

problem     what is wrong, where, and how it is shown
document    YAML as a tree whose values know where they stand
reference   ${env:NAME} and ${file:/path}
override    SIDECAR__LISTEN__ADDRESS and --set
shape       the types of the settings, as those see them who walk along them
wording     how values and types are called in messages
decoding    from the tree to the settings, with everything that is wrong
check       what settings have against each other
effective   the settings as plain values, and where each came from
inforce     `Configuration`, what all this ends in
loading     `load`, which does all this
roster      the providers made from it
json_schema the JSON Schema for editors
"""

from sidecar.configuration.inforce import Configuration
from sidecar.configuration.json_schema import schema
from sidecar.configuration.loading import load
from sidecar.configuration.problem import InvalidConfiguration, Problem, rendered
from sidecar.configuration.roster import hosts, providers

__all__ = ["Configuration", "InvalidConfiguration", "Problem", "hosts", "load", "providers", "rendered", "schema"]
