/** Which queue a sharding key goes to, the same as Java's `SelectMessageQueueByHash`. */
import { assert } from '@sagalog/kernel'
import { javaHash } from './java-hash.js'

/** A queue id from 0 to `queues` - 1. */
export function queueForKey(key: string, queues: number): number {
  assert(Number.isInteger(queues) && queues > 0, 'a topic has at least one queue')
  // The remainder is taken before the sign goes, or the smallest int32 would stay negative in Java.
  return Math.abs(javaHash(key) % queues)
}
