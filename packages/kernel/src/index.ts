export { assert, AssertionError, unreachable } from './assert.js'
export { type Ack, type Commit, type CommitRefusal, type Committed, emptyCommit } from './commit.js'
export type { EventDraft, ExpectedVersion, GroupQueue, LeaseRef, Metadata } from './commit.js'
export type { OutgoingMessage, StreamAppend, StreamClosing, StreamState } from './commit.js'
export type { TimerDraft } from './commit.js'
export { defineErrors, isSagalogError } from './errors.js'
export type {
  ErrorClass,
  ErrorDetail,
  ErrorRow,
  Retry,
  SagalogError,
  WriteState,
} from './errors.js'
export type { Fold } from './fold.js'
export { HOPS, type HopName, type Hops, noHops } from './hops.js'
export { leaseEpoch, position, queueOffset, streamVersion } from './ids.js'
export type { Brand, LeaseEpoch, Position, QueueOffset, StreamVersion } from './ids.js'
export { isRoomy } from './ports/channel.js'
export type { Channel, Connect, Room, RoomyChannel } from './ports/channel.js'
export { type Cancel, type Clock, sleep, turn } from './ports/clock.js'
export { DiskError } from './ports/disk.js'
export type { DirectoryLock, Disk, DiskFile, OpenOptions, SyncMode } from './ports/disk.js'
export { below, type Random, randomHex } from './ports/random.js'
export { bytesDraft, type Draft, type LogRecord } from './record.js'
export { RECORD_KINDS, type RecordClass, type RecordKind, recordKindOf } from './record-kinds.js'
