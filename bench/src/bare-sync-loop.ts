/**
 * The yardstick of every synced figure: one asynchronous write after another to a zero-filled file
 * opened with O_DSYNC, each of the size that the measured log wrote per sync. Nothing of ours is in
 * it, so what it reaches is what the disk gives.
 */
import { constants, mkdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'

export interface BareLoop {
  readonly writes: number
  readonly elapsedMs: number
  readonly latenciesMs: readonly number[]
}

const FILE_BYTES = 16 * 1024 * 1024

/** Writes `batchBytes` again and again for `durationMs`, from the start anew when the file ends. */
export async function bareSyncLoop(
  path: string,
  batchBytes: number,
  durationMs: number,
): Promise<BareLoop> {
  mkdirSync(dirname(path), { recursive: true })
  const fileBytes = Math.max(FILE_BYTES, batchBytes)
  const prepared = await open(path, 'w')
  await prepared.write(Buffer.alloc(fileBytes))
  await prepared.sync()
  await prepared.close()
  const file = await open(path, constants.O_RDWR | constants.O_DSYNC)
  const batch = Buffer.alloc(batchBytes, 0x61)
  const latenciesMs: number[] = []
  const startMs = performance.now()
  let at = 0
  let nowMs = startMs
  while (nowMs - startMs < durationMs) {
    if (at + batchBytes > fileBytes) at = 0
    await file.write(batch, 0, batchBytes, at)
    at += batchBytes
    const endMs = performance.now()
    latenciesMs.push(endMs - nowMs)
    nowMs = endMs
  }
  await file.close()
  return { writes: latenciesMs.length, elapsedMs: nowMs - startMs, latenciesMs }
}
