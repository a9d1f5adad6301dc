export type { DiskFaults } from './disk-faults.js'
export { type SimulatedDisk, simulatedDisk } from './simulated-disk.js'
export type { SimulatedDiskOptions } from './simulated-machine.js'
