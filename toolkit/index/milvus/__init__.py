"""The interface of an index on Milvus: a server or a cluster, or a file through milvus-lite."""
