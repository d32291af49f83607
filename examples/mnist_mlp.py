"""Classify the digits of MNIST with two dense layers.

The program of a tutorial for Keras, with its imports of today and without its mistake (`add` takes no `activation`).
"""

import cornu as keras
from cornu.datasets import mnist

# load the data set
(x_train, y_train), (x_test, y_test) = mnist.load_data()

# scale pixel values to 0 to 1
x_train = x_train / 255.0
x_test = x_test / 255.0

# build the model
model = keras.models.Sequential()
model.add(keras.layers.Flatten(input_shape=(28, 28)))
model.add(keras.layers.Dense(128, activation="relu"))
model.add(keras.layers.Dropout(0.2))
model.add(keras.layers.Dense(10, activation="softmax"))

# compile it
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

# train it
model.fit(x_train, y_train, epochs=5)

# evaluate it
score = model.evaluate(x_test, y_test)
print("Test loss:", score[0])
print("Test accuracy:", score[1])
