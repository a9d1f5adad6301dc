/** The classes of faults of a simulated disk. A run that never reached one has not shown it. */

/** How often each class of fault was really reached. */
export interface DiskFaults {
  powerLosses: number
  kills: number
  sectorsKept: number
  sectorsDropped: number
  writesTorn: number
  entriesVanished: number
  syncsFailed: number
  shortWrites: number
  shortReads: number
  fullErrors: number
  bitsFlipped: number
  slowCalls: number
  callsFailed: number
  writesMisdirected: number
  filesTruncated: number
  filesRemoved: number
}

export const noFaults = (): DiskFaults => ({
  powerLosses: 0,
  kills: 0,
  sectorsKept: 0,
  sectorsDropped: 0,
  writesTorn: 0,
  entriesVanished: 0,
  syncsFailed: 0,
  shortWrites: 0,
  shortReads: 0,
  fullErrors: 0,
  bitsFlipped: 0,
  slowCalls: 0,
  callsFailed: 0,
  writesMisdirected: 0,
  filesTruncated: 0,
  filesRemoved: 0,
})
