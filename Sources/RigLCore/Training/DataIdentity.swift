import Foundation

/// What a checkpoint says of the samples it was trained on, so that nobody goes on with others, or
/// takes one class for another, without noticing.
struct DataIdentity {
  /// Nil: unknown, and not compared.
  private let samples: Int?
  private let input: SampleShape
  private let classes: Int
  private let classNames: [String]?
  /// Nil: the samples are not pixels.
  private let normalization: PixelNormalization?
  /// Checksums of what the samples are made of, by what that is.
  private let checksums: [String: String]
  /// Checksums of some values of samples of one's own, by what they are for.
  private let valueChecksums: [String: String]

  /// Asks the samples for what tells them from others: photos, for example, for names and sizes.
  init(_ data: TrainingData) {
    samples = data.train.count
    input = data.train.sampleShape
    classes = data.train.classes
    classNames = data.train.classNames
    normalization = data.normalization
    var checksums = ["training": data.train.checksums]
    checksums["validation"] = data.validation?.checksums
    checksums["test"] = data.test.checksums
    var flat: [String: String] = [:]
    for (part, sums) in checksums {
      for (what, sum) in sums { flat["\(what) of the \(part) samples"] = sum }
    }
    self.checksums = flat
    var values = ["training": DataIdentity.valueChecksum(of: data.train)].compactMapValues(\.self)
    values["validation"] = data.validation.flatMap(DataIdentity.valueChecksum)
    values["test"] = DataIdentity.valueChecksum(of: data.test)
    valueChecksums = values
  }

  /// What is known of a network that comes without its samples.
  init(input: SampleShape, classes: Int) {
    (samples, self.input, self.classes, classNames) = (nil, input, classes, nil)
    (normalization, checksums, valueChecksums) = (nil, [:], [:])
  }

  /// The names in a checkpoint's metadata.
  static func classNames(in metadata: [String: String]) -> [String]? {
    decoded(metadata["class_names"])
  }

  /// As a checkpoint has it.
  var metadata: [String: String] {
    var metadata = ["input_shape": input.written, "classes": "\(classes)"]
    metadata["train_samples"] = samples.map { "\($0)" }
    metadata["class_names"] = classNames.flatMap(DataIdentity.encoded)
    metadata["data_checksums"] = checksums.isEmpty ? nil : DataIdentity.encoded(checksums)
    metadata["value_checksums"] =
      valueChecksums.isEmpty ? nil : DataIdentity.encoded(valueChecksums)
    return metadata
  }

  /// - Throws: `RigLError(.data)` if a checkpoint's samples were others, as far as it says.
  func requireSame(as metadata: [String: String], path: String) throws(RigLError) {
    let hint =
      "The data has changed. Bring it back, or start a new run from this one's network by "
      + "--start-from in the place of --resume: it takes any data.\nrigl evaluate tests the network on "
      + "the data as it is."
    func require(_ what: String, _ saved: String?, _ own: String?) throws(RigLError) {
      guard let saved, let own, saved != own else { return }
      throw RigLError(
        .data, "\(path): was trained on \(what) \(saved); the data has \(own)", hint: hint)
    }
    try require("samples of shape", metadata["input_shape"], input.written)
    if let saved = DataIdentity.classNames(in: metadata), let classNames {
      let (before, now) = (saved.joined(separator: ", "), classNames.joined(separator: ", "))
      try require("the classes", before, now)
    }
    try require("a number of classes of", metadata["classes"], "\(classes)")
    try require("a number of samples of", metadata["train_samples"], self.metadata["train_samples"])
    guard let saved: [String: String] = DataIdentity.decoded(metadata["data_checksums"]) else {
      // An earlier version's. Numbers of the data's pixels show that it is the same; a network
      // that was imported comes without its samples, and may have numbers of others.
      if metadata["train_samples"] != nil {
        try require("pixels normalised by", metadata["normalization"], normalization?.written)
      }
      return
    }
    let changed = Set(saved.keys).union(checksums.keys).filter { saved[$0] != checksums[$0] }
    guard let first = changed.min() else { return }
    let rest = changed.sorted().dropFirst().map { ", the \($0)" }.joined()
    throw RigLError(
      .data, "\(path): was trained on other data: the \(first)\(rest) have changed", hint: hint)
  }

  /// Says which samples of one's own have other values than a checkpoint's, as far as some of them
  /// show; nil: none, or it is not known. Not an error: who repairs a value goes on.
  func valueWarning(since metadata: [String: String], path: String) -> String? {
    let saved: [String: String] = DataIdentity.decoded(metadata["value_checksums"]) ?? [:]
    let changed = ["training", "validation", "test"].filter { part in
      valueChecksums[part].map { $0 != saved[part] ?? $0 } ?? false
    }
    guard !changed.isEmpty else { return nil }
    return "\(path): the values of the \(enumeration(changed)) samples are others than before; the "
      + "run goes on with these"
  }

  // MARK: - Checksums

  /// The checksum of the values of some samples of one's own, from the first to the last; nil for
  /// others, and for values that are not the same twice.
  private static func valueChecksum(of dataset: any Dataset) -> String? {
    guard case .values = dataset.undivided.access else { return nil }
    var values = [Float](repeating: 0, count: dataset.sampleShape.count)
    func checksum() -> String {
      var sum = SafetensorsChecksum()
      let count = min(dataset.count, 32)
      for place in 0..<count {
        var span = values.mutableSpan
        dataset.write(place * (dataset.count - 1) / max(count - 1, 1), into: &span)
        sum.append(unsafe values.span.bytes)
      }
      return sum.digits
    }
    let first = checksum()
    return checksum() == first ? first : nil
  }

  private static func encoded(_ value: some Encodable) -> String? {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) }
  }

  private static func decoded<Value: Decodable>(_ text: String?) -> Value? {
    text.flatMap { try? JSONDecoder().decode(Value.self, from: Data($0.utf8)) }
  }
}

extension Dataset {
  /// The checksums of all samples in their order.
  fileprivate var checksums: [String: String] { checksums(of: 0..<count) }
}

extension SampleShape {
  /// As metadata has it: channels, height and width between commas.
  var written: String { "\(channels),\(height),\(width)" }
}
