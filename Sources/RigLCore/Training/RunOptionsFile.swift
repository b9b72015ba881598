import Yams

extension RunOptions {
  /// The keys that a file or `--set` may use for these options.
  package static let keys = [
    "threads", "data_folder", "start_from", "checkpoint_every", "keep", "log_every",
    "growth_buffer",
  ]

  /// Those of ``keys`` that a run saves.
  static let savedKeys = [
    "data_folder", "start_from", "checkpoint_every", "keep", "log_every",
  ]

  /// Sets the model to start from, for any working directory.
  package mutating func setStartFrom(_ path: String) { startFrom = absolutePath(path) }

  /// Sets the folder of the data, for any working directory.
  package mutating func setDataFolder(_ path: String) {
    dataFolder = absolutePath(path)
  }

  /// Sets an option; false if the key is not one.
  mutating func set(
    _ key: String, to value: Node, place: String, base: String?
  ) throws(RigLError) -> Bool {
    func count() throws(RigLError) -> Int {
      guard let count = value.wholeNumber(Int.self), count >= 1 else {
        throw RigLError(
          .configuration,
          "\(place)\(key): '\(value.written)' is not a number of at least 1")
      }
      return count
    }
    func path() throws(RigLError) -> String? {
      if value.isNothing { return nil }
      guard let path = value.scalar?.string else {
        throw RigLError(
          .configuration,
          "\(place)\(key): '\(value.written)' is not a path")
      }
      return absolutePath(path, relativeTo: base)
    }
    func steps() throws(RigLError) -> [Int] {
      let steps = value.sequence?.compactMap { $0.wholeNumber(Int.self) } ?? []
      guard steps.count == value.sequence?.count, steps.allSatisfy({ $0 >= 0 }) else {
        throw RigLError(
          .configuration, "\(place)\(key): '\(value.written)' is not a list of steps")
      }
      return steps
    }
    switch key {
    case "threads": threads = try count()
    case "start_from": startFrom = try path()
    case "data_folder": dataFolder = try path()
    // Asked for nothing, each epoch's end again: 0 says so.
    case "checkpoint_every": checkpointEvery = value.isNothing ? 0 : try count()
    case "keep": keep = try count()
    case "log_every": logEvery = try count()
    case "growth_buffer":
      growthBuffer = value.isNothing ? nil : try count()
      guard growthBuffer ?? 1 <= 1 << 20 else {
        throw RigLError(
          .configuration, "\(place)growth_buffer: \(value.written) MiB is more than \(1 << 20)")
      }
    // For a run's file alone to say.
    case "extended_at" where !place.isEmpty:
      extendedAt = try steps()
    default: return false
    }
    return true
  }
}
