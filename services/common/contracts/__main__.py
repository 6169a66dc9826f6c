"""
Write what is published of the contracts: ``python -m services.common.contracts`` (``make contracts``).
"""

from services.common.contracts.publish import write_all

if __name__ == "__main__":
    write_all()
