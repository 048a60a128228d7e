"""Files that have texts (recordings, pictures): what users list them in, which are of use, how they part."""
