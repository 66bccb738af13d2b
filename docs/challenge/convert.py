"""Write a picture in another format, the one that the name ends in: convert.py PICTURE TARGET"""

import sys

from PIL import Image

picture, target = sys.argv[1:]
Image.open(picture).save(target)
