"""The function of the image."""


def main(a=0):
    print("got", a)
    return a + 1
