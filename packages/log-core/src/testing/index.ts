export type { DiskFaults } from './disk-faults.js'
export { EntriesFold } from './entries-fold.js'
export { type SimulatedDisk, simulatedDisk } from './simulated-disk.js'
export type { SimulatedDiskOptions } from './simulated-machine.js'
