"""What can go wrong with memory. Every message names the fix, so that callers may show it as it is.

LoreError                   anything Lorebot raises on purpose
├── ScopeError              a scope that is empty or unknown: nothing is read or written
├── RedisError              Redis cannot serve
│   ├── RedisUnavailable    no server answers, or it refuses us
│   ├── NoServer            this machine has no server that Lorebot could start
│   ├── NoQueryEngine       a server answers, but without the query engine
│   ├── IndexMissing        an index that a command names is not there
│   └── StoreNotReady       what a batch asked of a vector store must be asked of the store itself
├── VectorError             a vector that the index would drop silently: wrong size, zero, NaN
├── StoreError              a vector store is full, was dropped, or cannot take an item, an id, an option, a condition
├── EmbedderMismatch        the index was made by another embedder than the configured one
├── NewerMemory             memory was written by a newer version
└── TransferError           a file of turns that cannot be read
"""


class LoreError(Exception):
    """Anything Lorebot raises on purpose; `str(error)` names the fix."""


class ScopeError(LoreError, ValueError):
    """A scope that is empty or unknown."""


class RedisError(LoreError):
    """Redis cannot serve."""


class RedisUnavailable(RedisError):
    """No server answers at the address, or it refuses us."""


class NoServer(RedisError):
    """No Redis server on this machine that Lorebot could start."""


class NoQueryEngine(RedisError):
    """A server answers, but it has no query engine."""


class IndexMissing(RedisError):
    """An index that a command names is not there."""


class StoreNotReady(RedisError):
    """A vector store has to be put in order before it can answer, which `Store.knn` and `Store.search` see to."""


class VectorError(LoreError, ValueError):
    """A vector that the index would drop silently: wrong size, zero or not finite."""


class StoreError(LoreError, ValueError):
    """A vector store is full, was dropped, or cannot take an item, an id, an option or a condition."""


class EmbedderMismatch(LoreError):
    """The index was made by another embedder than the configured one."""


class NewerMemory(LoreError):
    """Memory was written by a newer version."""


class TransferError(LoreError):
    """A file of turns that cannot be read."""
