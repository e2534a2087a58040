"""The last line of a runner, which counts."""


def close(text, path):
    """Prints it; with a path it goes into that file, for SCons to print once it has said all that it has to say."""
    if path:
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text + '\n')
    else:
        print(text)
