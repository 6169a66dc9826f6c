"""
Write the guide and its picture: ``python -m deploy.lifecycle``.
"""

from deploy.lifecycle.diagram import svg
from deploy.lifecycle.document import DOCUMENT, PICTURE, document

if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
    PICTURE.write_text(svg(), encoding="utf-8")
    print(f"{DOCUMENT.name}, {PICTURE.name}")
