"""Write a picture as JPEG: pnmtojpeg.py PICTURE JPEG"""

import sys

from PIL import Image

picture, target = sys.argv[1:]
Image.open(picture).save(target, "JPEG", quality=95)
