"""
The sheets in MongoDB, and which of them are to be made again.
"""

from services.common.kit.mongo import Client


class Sheets:
    """
    One sheet of facts for each local day.
    """

    def __init__(self, client: Client, database: str) -> None:
        db = client[database]
        self.sheets = db["sheets"]
        self.marks = db["sheet_marks"]
