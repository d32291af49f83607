"""Classify the digits of MNIST with four blocks of convolution and pooling, and save the model.

The program of a tutorial for Keras, with its imports of today; recognize_digits.py uses what it saves.
"""

from cornu.datasets import mnist
from cornu.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from cornu.models import Sequential
from cornu.utils import set_random_seed, to_categorical

set_random_seed(0)  # another seed gives an accuracy a tenth of a percent up or down
(x_train, y_train), (x_test, y_test) = mnist.load_data()
x_train = x_train.reshape((-1, 28, 28, 1)).astype("float32") / 255.0
x_test = x_test.reshape((-1, 28, 28, 1)).astype("float32") / 255.0
y_train, y_test = to_categorical(y_train, 10), to_categorical(y_test, 10)

# build the network
model = Sequential()
input_shape = (28, 28, 1)  # height, width, channels
# first block
model.add(Conv2D(32, (5, 5), activation="relu", padding="same", input_shape=input_shape))
model.add(MaxPooling2D(pool_size=(2, 2)))
# second block
model.add(Conv2D(64, (5, 5), activation="relu", padding="same"))
model.add(MaxPooling2D(pool_size=(2, 2)))
# third block
model.add(Conv2D(128, (3, 3), activation="relu", padding="same"))
model.add(MaxPooling2D(pool_size=(2, 2)))
# fourth block
model.add(Conv2D(128, (3, 3), activation="relu", padding="same"))
model.add(MaxPooling2D(pool_size=(2, 2)))

model.add(Flatten())
model.add(Dense(1024, activation="relu"))
model.add(Dropout(0.5))
model.add(Dense(512, activation="relu"))
model.add(Dropout(0.5))
model.add(Dense(10, activation="softmax"))

# compile and train it
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=64, epochs=5, verbose=1)
print("Test accuracy:", model.evaluate(x_test, y_test, verbose=0)[1])

# save it in the current folder
model.save("model.h5")
