"""Models that files are tested with: the same text is run under cornu and under Keras."""

SEQUENTIAL = """
model = keras.Sequential([L.Input((8, 8, 3)), L.Conv2D(4, 3, activation="relu"), L.BatchNormalization(), L.MaxPooling2D(), L.Dropout(0.2), L.Flatten(), L.Dense(3, activation="softmax")])
shapes = [(8, 8, 3)]
"""
NESTED = """
inner = keras.Sequential([L.Input((4,)), L.Dense(5, activation="tanh"), L.LayerNormalization()], name="inner")
a, b = L.Input((4,), name="a"), L.Input((4,), name="b")
shared = L.Dense(4, name="shared")
x = L.Concatenate()([inner(shared(a)), inner(shared(b)), L.Subtract()([a, b])])
model = keras.Model([a, b], [L.Dense(2, name="first")(x), L.Dense(1, name="second")(x)])
shapes = [(4,), (4,)]
"""
RECURRENT = """
x = i = L.Input((6, 4))
x = L.Bidirectional(L.LSTM(3, return_sequences=True))(x)
x = L.GRU(4, return_sequences=True)(x)
x = L.RNN(L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(2)]), return_sequences=True)(x)
x = L.TimeDistributed(L.Dense(2))(x)
model = keras.Model(i, L.SimpleRNN(3)(x))
shapes = [(6, 4)]
"""
ATTENTION = """
i = L.Input((6, 8))
x = L.LayerNormalization()(i + L.MultiHeadAttention(2, 4)(i, i, use_causal_mask=True))
x = L.LayerNormalization()(x + L.Dense(8)(L.Dense(16, activation="gelu")(x)))
model = keras.Model(i, L.GlobalAveragePooling1D()(x))
shapes = [(6, 8)]
"""
EMBEDDING = """
i = L.Input((5,), dtype="int32")
x = L.Embedding(10, 4, mask_zero=True)(i)
model = keras.Model(i, L.Dense(2)(L.LSTM(3)(x)))
shapes = ["tokens"]
"""
OPERATIONS = """
i = L.Input((4, 6))
j = L.Input((4, 6))
x = (i + 1.0) * 2.0 - j / 3.0
x = ops.relu(x) ** 2 + (1 - ops.sigmoid(j))
x = ops.concatenate([x, ops.expand_dims(x[:, 0], 1)], axis=1)
x = ops.reshape(x, (-1, 5, 2, 3))
x = ops.transpose(x, (0, 2, 1, 3))
x = ops.mean(x, axis=-1, keepdims=True) + ops.sum(x, (-1,), True)
x = ops.where(x > 0.5, x, 0.0)
x = ops.softmax(ops.squeeze(x, -1), axis=1)
x = ops.einsum("bij,bkj->bik", x, x) + ops.matmul(x, ops.swapaxes(x, 1, 2))
x = ops.clip(x, -1.0, 1.0) + ops.cast(ops.argmax(x, axis=-1, keepdims=True), "float32")
x = ops.pad(x, ((0, 0), (1, 1), (0, 0)))
x = ops.maximum(x, ops.leaky_relu(x, negative_slope=0.3)) + ops.take(x, [0, 1], axis=2) - ops.stack([x, x], axis=1)[:, 1]
model = keras.Model([i, j], x)
shapes = [(4, 6), (4, 6)]
"""
DEPTHWISE = """
x = i = L.Input((8, 8, 3))
x = L.ZeroPadding2D()(L.SeparableConv2D(4, 3, padding="same")(x))
x = L.DepthwiseConv2D(3, depth_multiplier=2)(x)
x = L.ReLU(6.0)(x)
x = L.Conv2DTranspose(3, 3, strides=2)(x)
x = L.GroupNormalization(3)(x)
model = keras.Model(i, L.Flatten()(L.AveragePooling2D(2)(L.UpSampling2D()(x))))
shapes = [(8, 8, 3)]
"""
SUBCLASS = """
@keras.saving.register_keras_serializable("tests")
class Net(keras.Model):
    def __init__(self, width=3, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.blocks = [L.Dense(width), L.Dense(width, activation="relu"), L.Dropout(0.1)]
        self.named = {"one": L.Dense(1), "two": L.Dense(2)}
        self.nested = [[L.Dense(1)], [L.Dense(1)]]
        self.pair = (L.Dense(2), L.Dense(2))
        self.head = L.Dense(2)
        self.last = self.head

    def call(self, x):
        y = self.named["two"](x) + self.nested[0][0](x) + self.nested[1][0](x) + self.pair[0](x) + self.pair[1](x) + self.named["one"](x)
        for block in self.blocks:
            x = block(x)
        return self.head(x) + y

    def get_config(self):
        return {**super().get_config(), "width": self.width}

model = Net()
model(ops.ones((1, 4)))
shapes = [(4,)]
"""
ALL = {name.lower(): text for name, text in globals().items() if name.isupper() and isinstance(text, str)}
