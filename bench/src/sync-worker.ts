/**
 * The other side of the worker variant: a thread that writes what stands in shared memory, each
 * time it is told to, with synchronous calls to a file opened with O_DSYNC.
 */
import * as fs from 'node:fs'
import { workerData } from 'node:worker_threads'

/** Words of the control array: 0 told to write, 1 bytes (negative: end), 2 place, 3 done. */
export interface SyncWorkerData {
  readonly path: string
  readonly bytes: SharedArrayBuffer
  readonly control: SharedArrayBuffer
}

const data = workerData as SyncWorkerData
const control = new Int32Array(data.control)
const bytes = Buffer.from(data.bytes)
const fd = fs.openSync(data.path, fs.constants.O_RDWR | fs.constants.O_DSYNC)
for (;;) {
  Atomics.wait(control, 0, 0)
  const size = Atomics.load(control, 1)
  if (size < 0) break
  fs.writeSync(fd, bytes, 0, size, Atomics.load(control, 2))
  Atomics.store(control, 0, 0)
  Atomics.store(control, 3, 1)
  Atomics.notify(control, 3)
}
fs.closeSync(fd)
