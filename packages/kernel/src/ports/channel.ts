/**
 * One end of a connection. Items arrive in the order they were sent, or the channel closes; nothing
 * is ever lost in the middle. What travels is a type parameter: commands for the packages, bytes
 * for a socket. An item that was handed over must not be changed by its sender any more.
 */

export interface Channel<Item> {
  /** Who is at the other end, for messages to people. */
  readonly remote: string
  /** Hands an item over; false when the channel is closed and the item went nowhere. */
  send(item: Item): boolean
  /** Sets the one receiver. Items that arrived before it was set are handed over then. */
  onItem(receive: (item: Item) => void): void
  /** Sets the one listener for the end of the channel; called once, at once when it is closed. */
  onClose(listener: (reason: string) => void): void
  close(reason: string): void
}

/** Room in what a channel of bytes sends next; good until the channel is used again. */
export interface Room {
  readonly bytes: Buffer
  /** Where it begins in `bytes`. */
  readonly at: number
}

/**
 * A channel of bytes that lends its sender room to write in, so that a short item needs no buffer
 * of its own.
 */
export interface RoomyChannel extends Channel<Buffer> {
  /** Room for at most so many bytes; undefined when the channel is closed. Nothing is sent yet. */
  room(bytesMax: number): Room | undefined
  /** Sends what was written into the beginning of the room; false as `send` gives it. */
  sendRoom(bytes: number): boolean
}

export const isRoomy = (channel: Channel<Buffer>): channel is RoomyChannel => 'sendRoom' in channel

/** Opens a channel; rejects when the other end can't be reached. */
export type Connect<Item> = () => Promise<Channel<Item>>
