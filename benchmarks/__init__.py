"""Large captures, and how fast they are read: by the whole job beside other tools, and by each layer alone."""
