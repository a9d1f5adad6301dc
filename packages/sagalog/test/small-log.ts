/** A log with small segments on this machine, and a way to damage it. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { nodeClock } from '@sagalog/kernel/node'
import { type Log, openLog } from '@sagalog/log-core'
import { nodeDisk } from '@sagalog/log-core/node'

export function openSmallLog(directory: string, segmentBytes = 1 << 16): Promise<Log> {
  const ports = { disk: nodeDisk(), clock: nodeClock() }
  return openLog({ ...ports, directory, segmentBytes })
}

/** Turns every bit of one byte of the first segment. */
export function flipByte(directory: string, at: number): void {
  const fd = openSync(join(directory, '0000000000000000.seg'), 'r+')
  const byte = Buffer.alloc(1)
  readSync(fd, byte, 0, 1, at)
  writeSync(fd, Buffer.from([~(byte[0] ?? 0) & 0xff]), 0, 1, at)
  closeSync(fd)
}
