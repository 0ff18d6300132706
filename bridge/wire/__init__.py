"""Read and write what goes over the wire: messages, signatures, serial lines, ids, and the values of settings."""
