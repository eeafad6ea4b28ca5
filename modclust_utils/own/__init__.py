"""A network of a reader's own: how it is read, what is understood of it, and what is asked.

`reading` takes a network from a file or a name, `understanding` says what its graph is made of,
`plan` which records answer the questions, and `tables`, `figures` and `findings` say what they
show. `modclust_utils.analyze` does all of that at once.
"""
