/** A disk that remembers what was opened through it, for those who must leave nothing open. */
import type { Disk, DiskFile } from '@sagalog/kernel'

export interface TrackedDisk {
  readonly disk: Disk
  closeAll(): Promise<void>
}

export function trackedDisk(disk: Disk): TrackedDisk {
  const opened = new Set<DiskFile>()
  return {
    disk: {
      ...disk,
      async open(path, options) {
        const file = await disk.open(path, options)
        opened.add(file)
        return file
      },
    },
    async closeAll() {
      await Promise.allSettled([...opened].map((file) => file.close()))
    },
  }
}
