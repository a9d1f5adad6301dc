/**
 * The numbers that must never be mixed up, each a type of its own. A branded number costs nothing
 * at run time; its constructor checks the range once, where the number enters the program.
 */
import { AssertionError } from './assert.js'

declare const brand: unique symbol
/** A `T` that only the constructor of `Name` can make. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/**
 * The byte address of a record in the log. Opaque: compared, stored, never computed from lengths.
 */
export type Position = Brand<number, 'Position'>
/** The number of a message in its queue: dense, from 0. */
export type QueueOffset = Brand<number, 'QueueOffset'>
/** The number of an event in its stream: dense, from 1; 0 is the empty stream. */
export type StreamVersion = Brand<number, 'StreamVersion'>
/** Counts the grants of one queue to a group's instances: a commit of an older grant is refused. */
export type LeaseEpoch = Brand<number, 'LeaseEpoch'>

function whole(value: number, what: string): number {
  // The message is made only when it is needed: ids are made for every record.
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new AssertionError(`${what} must be a whole number, got ${value}`)
}

export const position = (value: number): Position => whole(value, 'a position') as Position
export const queueOffset = (value: number): QueueOffset =>
  whole(value, 'a queue offset') as QueueOffset
export const streamVersion = (value: number): StreamVersion =>
  whole(value, 'a stream version') as StreamVersion
export const leaseEpoch = (value: number): LeaseEpoch => whole(value, 'a lease epoch') as LeaseEpoch
