# Sourced by the scripts beside it. Sets PYTHON to an interpreter that is new enough and can make environments:
# the one $PYTHON names, else the first that fits. The probe also refuses commands that exist but cannot run.

meshctl_fits() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    if ! meshctl_fits "$PYTHON"; then
        echo "PYTHON=$PYTHON is not a Python 3.11 or newer with venv and ensurepip; name another, or unset PYTHON." >&2
        exit 1
    fi
else
    for candidate in python3 python3.13 python3.12 python3.11; do
        if meshctl_fits "$candidate"; then
            PYTHON=$candidate
            break
        fi
    done
    if [ -z "${PYTHON:-}" ]; then
        echo "No Python 3.11 or newer with venv found (tried python3, python3.13, python3.12, python3.11)." >&2
        echo "Install one (Debian: apt-get install python3 python3-venv) or set PYTHON to its path." >&2
        exit 1
    fi
fi
