/** What unwinds a simulated world: something is wrong, or a node is gone. */

/** Ends a run: the world itself found something wrong. */
export class WorldFailure extends Error {
  readonly promise: string
  constructor(promise: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.promise = promise
  }
}

/** Unwinds the stack of a node that is gone; whoever meets it there is gone as well. */
export class NodeStopped extends Error {}
