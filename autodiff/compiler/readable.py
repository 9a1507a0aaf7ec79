"""stub for now"""
class Readable:
    def __init__(self, code, name, args): self.source=""
