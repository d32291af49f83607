"""Recognise pictures of digits with the model that mnist_cnn.py saved.

    python examples/recognize_digits.py FOLDER     FOLDER has num0.png to num9.png, dark ink on white

Pictures of white ink on black (as in MNIST) are taken as they are.
"""

import pathlib
import sys

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageOps

from cornu.models import load_model

folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "num-draft")

# load the trained model
model = load_model("model.h5")
image_names = [f"num{number}.png" for number in range(10)]
for place, image_name in enumerate(image_names):
    picture = Image.open(folder / image_name)
    gray = np.array(ImageOps.grayscale(picture)).astype("float32")
    ink = 255 - gray if gray.mean() > 127 else gray  # white ink on black, as in MNIST
    image = ink.reshape((1, 28, 28, 1)) / 255.0  # the network takes four axes
    prediction = np.argmax(model.predict(image, verbose=0), axis=1)
    print(f"picture {image_name}: {prediction[0]}")
    plt.subplot(2, 5, place + 1)
    plt.imshow(picture, cmap="gray")
    plt.xticks([])
    plt.yticks([])
    plt.title(f"predict:{prediction[0]}", color="blue")
plt.savefig("recognized.png")
print("pictures with predictions: recognized.png")
