"""Pictures to sentences: a convolutional encoder, a recurrent decoder that looks at parts of the picture."""
