"""``python -m appliance``: the same as the ``meshctl`` command."""

from appliance.cli.main import main

main()
