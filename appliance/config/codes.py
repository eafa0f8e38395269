"""Every diagnostic has a code that never changes its meaning; this is the one table of them.

The hundreds say which question failed, so that a reader can guess before looking one up:

    MC1  is it YAML, free of its traps?      MC5  does it make sense?
    MC2  has it the right shape?             MC6  does the machine have what it names?
    MC3  do the values read as their types?  MC7  is it safe?
    MC4  do the names refer to something?

A code is never reused. Titles are what lists and reports print beside the code.
"""

from __future__ import annotations

from typing import Final

TITLES: Final[dict[str, str]] = {
    "MC101": "The file is not UTF-8 text",
    "MC102": "A control character or unusual line break",
    "MC103": "A byte order mark at the start",
    "MC104": "Windows line endings",
    "MC105": "A tab where YAML wants spaces",
    "MC106": "Not valid YAML",
    "MC107": "An unquoted * begins a YAML alias",
    "MC108": "An unquoted IPv6 address reads as a list",
    "MC109": "A character that cannot begin an unquoted value",
    "MC110": "A quote or bracket is never closed",
    "MC111": "A second `: ` in an unquoted value",
    "MC112": "The same key twice in one map",
    "MC113": "A YAML tag",
    "MC114": "A second YAML document",
    "MC115": "An alias that is unknown, recursive or expands too far",
    "MC116": "Nested too deeply",
    "MC117": "The file is too large",
    "MC118": "The file is empty",
    "MC119": "A YAML merge key",
    "MC120": "A key that is not plain text",
    "MC121": "A ${...} that does not read as a substitution",
    "MC122": "An escape that YAML does not know",
    "MC201": "The wrong shape: a map, list or single value was expected",
    "MC202": "A required key is missing",
    "MC203": "An unknown key",
    "MC204": "The same name in two files",
    "MC205": "A format version that this meshctl does not read",
    "MC206": "Keys that exclude each other",
    "MC207": "A list or map that needs at least one entry",
    "MC208": "A key without a value",
    "MC301": "Not a boolean",
    "MC302": "Not a whole number in range",
    "MC303": "Not a duration",
    "MC304": "Not a size",
    "MC305": "Not a rate",
    "MC306": "Not a share",
    "MC307": "Not an address",
    "MC308": "Not an HTTP status",
    "MC309": "Not a name",
    "MC310": "Not one of the allowed words",
    "MC311": "A regular expression that does not compile",
    "MC312": "A regular expression that can backtrack without bound",
    "MC313": "Not a header name or value",
    "MC314": "Not a host",
    "MC315": "Not a path",
    "MC316": "Not a network",
    "MC317": "Not a URL",
    "MC318": "Not a method",
    "MC319": "Not a usable text",
    "MC401": "Two routes have one name",
    "MC402": "No such upstream",
    "MC403": "A route that no request can reach",
    "MC404": "A variable that is not set",
    "MC405": "An endpoint is one of our own listeners",
    "MC406": "The same endpoint twice in an upstream",
    "MC407": "Two listeners bind the same address",
    "MC408": "A test expects a route or upstream that does not exist",
    "MC501": "One try may take as long as the whole route",
    "MC502": "Retries of methods that are not idempotent",
    "MC503": "A breaker with both rules off",
    "MC504": "A health check may take as long as its interval",
    "MC505": "Consistent hashing without a key",
    "MC506": "All weights are zero",
    "MC507": "A breaker's longest pause is below its first",
    "MC508": "A hash key that the balance policy does not use",
    "MC509": "A lower bound above its upper bound",
    "MC511": "The tries do not fit into the route's time",
    "MC601": "The profile cannot be read",
    "MC602": "An included file cannot be read",
    "MC603": "The file of a ${file:...} cannot be read",
    "MC701": "Certificates of an upstream are not verified",
    "MC702": "Forwarding headers are believed from everywhere",
    "MC703": "The stats listener has no token",
    "MC704": "A secret is written in the profile",
    "MC705": "The stats listener is reachable without TLS",
}
