// An empty worker: what the topic import measures against.

export {};
