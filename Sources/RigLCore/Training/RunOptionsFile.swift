import Yams

extension RunOptions {
  /// The keys that a file or `--set` may use for these options.
  package static let keys = [
    "threads", "data_folder", "start_from", "topology", "checkpoint_every", "keep", "log_every",
    "tensorboard", "growth_buffer",
  ]

  /// Those of ``keys`` that a run saves.
  static let savedKeys = [
    "data_folder", "start_from", "topology", "checkpoint_every", "keep", "log_every",
    "tensorboard",
  ]

  /// What the run depends on besides its configuration, as its file says it.
  package var origin: [(key: String, value: Node)] {
    func list(_ texts: [String], _ style: Node.Sequence.Style) -> Node? {
      texts.isEmpty ? nil : Node.sequence(Node.Sequence(texts.map { Node($0) }, .implicit, style))
    }
    let nodes: [(key: String, value: Node?)] = [
      ("data_folder", dataFolder.map { Node(absolutePath($0)) }),
      ("start_from", startFrom.map { Node(absolutePath($0)) }),
      ("topology", list(writtenTopology, .block)),
      ("extended_at", list(extendedAt.map { "\($0)" }, .flow)),
    ]
    return nodes.compactMap { entry in entry.value.map { (entry.key, $0) } }
  }

  /// Sets the files that give connections, for any working directory.
  package mutating func setTopology(_ sources: [String]) {
    topology = sources.map { TopologySource($0).written() }
  }

  /// The files that give connections, for any working directory.
  var writtenTopology: [String] { topology.map { TopologySource($0).written() } }

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
    case "topology": topology = try RunOptions.sources(value, "\(place)\(key)", base)
    case "data_folder": dataFolder = try path()
    // Asked for nothing, each epoch's end again: 0 says so.
    case "checkpoint_every": checkpointEvery = value.isNothing ? 0 : try count()
    case "keep": keep = try count()
    case "log_every": logEvery = try count()
    case "tensorboard":
      guard let truth = value.truth else {
        throw RigLError(
          .configuration, "\(place)\(key): '\(value.written)' is not true or false")
      }
      tensorBoard = truth
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

  /// The files of a list, or of a mapping of layers to files.
  private static func sources(
    _ value: Node, _ place: String, _ base: String?
  ) throws(RigLError) -> [String] {
    if value.isNothing { return [] }
    let pairs = value.mapping?.map { (layer: $0.key.scalar?.string, path: $0.value) }
    let paths = pairs?.map(\.path) ?? value.sequence.map(Array.init) ?? [value]
    let texts = paths.map { $0.isNothing ? nil : $0.scalar?.string }
    guard texts.allSatisfy({ $0?.isEmpty == false }),
      pairs?.contains(where: { $0.layer == nil }) != true
    else {
      throw RigLError(
        .configuration,
        "\(place): '\(value.written)' is no list of files, nor a mapping of layers to files",
        hint: "Write [LAYER=FILE, …] or {LAYER: FILE}.")
    }
    return zip(texts, 0...).map { text, index in
      let layer = pairs.flatMap { $0[index].layer }.map { "\($0)=" } ?? ""
      return TopologySource(layer + (text ?? "")).written(relativeTo: base)
    }
  }
}
