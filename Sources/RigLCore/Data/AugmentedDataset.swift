/// When a sample is asked for: what an augmentation may depend on besides the sample.
///
/// A sample's values are a function of seed, epoch and index alone, whoever asks for it and when:
/// so results depend neither on the number of threads nor on an interruption.
package struct SampleContext: Hashable, Sendable {
  /// The run's seed.
  package var seed: UInt64
  /// The pass over the training samples, from 0.
  package var epoch: Int

  /// A context; without arguments, the first epoch of seed 0.
  package init(seed: UInt64 = 0, epoch: Int = 0) {
    self.seed = seed
    self.epoch = epoch
  }

  /// The random numbers of a sample in this epoch.
  package func draws(for sample: Int) -> SampleDraws { SampleDraws(sample, in: self) }
}

/// Up to 64 random numbers for each sample of each epoch.
package struct SampleDraws: Hashable, Sendable {
  private let random: CounterRandom
  private let first: UInt64

  init(_ sample: Int, in context: SampleContext) {
    random = CounterRandom(
      seed: context.seed, purpose: .augmentation, stream: UInt64(context.epoch))
    first = UInt64(sample) * 64
  }

  private func index(_ draw: Int) -> UInt64 {
    trap(unless: (0..<64).contains(draw), "SampleDraws: draw \(draw) of 64")
    return first + UInt64(draw)
  }

  /// Draw number `draw` as an integer in `0..<bound`, every one equally likely but for one part in
  /// 2^64 / `bound`.
  package func integer(_ draw: Int, below bound: Int) -> Int {
    trap(unless: bound > 0, "SampleDraws: no integers below \(bound)")
    return Int(UInt64(bound).multipliedFullWidth(by: random.bits(index(draw))).high)
  }

  /// Draw number `draw` as a number in [0, 1), one of 2^53.
  package func uniform(_ draw: Int) -> Double {
    Double(random.bits(index(draw)) >> 11) * 0x1p-53
  }
}

/// Samples that differ from epoch to epoch, or that can turn out to be damaged when they are read.
///
/// A training asks for them with its seed and the epoch, ahead of time and on threads of their own
/// where ``isReadAhead`` says so; an evaluation asks in a context of epoch 0.
package protocol AugmentedDataset: Dataset {
  /// Whether samples take so long that they are best made while the batch before trains.
  var isReadAhead: Bool { get }
  /// Writes a sample's `sampleShape.count` values, as ``Dataset/write(_:into:)`` does.
  ///
  /// - Throws: `RigLError` if the sample is damaged; its batch then does without it. `.memory` says
  ///   nothing of the sample: it ends what asked for the batch.
  func write(
    _ sample: Int, in context: SampleContext, into values: inout MutableSpan<Float>
  ) throws(RigLError)
}

extension AugmentedDataset {
  /// True: augmented samples take long enough to be made while the batch before trains.
  package var isReadAhead: Bool { true }

  /// Writes a sample as the first epoch of seed 0 sees it; zeros for a damaged one.
  package func write(_ sample: Int, into values: inout MutableSpan<Float>) {
    do throws(RigLError) {
      try write(sample, in: SampleContext(), into: &values)
    } catch {
      for index in values.indices { values[index] = 0 }
    }
  }
}

/// Images that are made as bytes: a batch holds them as such until they are packed, normalised on
/// the way.
package protocol PixelDataset: AugmentedDataset {
  /// How a byte becomes a value; without effect where ``standardizesImages`` is true.
  var normalization: PixelNormalization { get }
  /// Whether each image is brought to mean 0 and deviation 1 by its own pixels:
  /// (x - mean) / max(deviation, 1 / √n).
  var standardizesImages: Bool { get }
  /// How the bytes of a sample become values of mean 0 and deviation 1, where ``standardizesImages``
  /// is true: by default by the pixels that were written.
  func standardization(of sample: Int, written pixels: Span<UInt8>) -> ImageStandardization
  /// Memory that a thread needs to make images; made once for each thread.
  func makeScratch() -> AnyObject?
  /// Writes a sample's `sampleShape.count` bytes, channel by channel, row by row.
  ///
  /// - Throws: `RigLError` if the image is damaged, `.memory` if there is not enough to make it.
  func writePixels(
    _ sample: Int, in context: SampleContext, with scratch: AnyObject?,
    into pixels: inout MutableSpan<UInt8>
  ) throws(RigLError)
}

extension PixelDataset {
  /// By the pixels that were written, all of them.
  package func standardization(
    of sample: Int, written pixels: Span<UInt8>
  ) -> ImageStandardization {
    ImageStandardization(of: pixels)
  }

  /// No scratch, unless the samples say otherwise.
  package func makeScratch() -> AnyObject? { nil }

  /// Writes a sample, normalised.
  package func write(
    _ sample: Int, in context: SampleContext, into values: inout MutableSpan<Float>
  ) throws(RigLError) {
    let (count, plane) = (sampleShape.count, sampleShape.height * sampleShape.width)
    trap(unless: values.count >= count, "write: room for \(values.count) of \(count) values")
    var pixels = [UInt8](repeating: 0, count: count)
    var span = pixels.mutableSpan
    try writePixels(sample, in: context, with: makeScratch(), into: &span)
    let own = standardizesImages ? standardization(of: sample, written: pixels.span) : nil
    for index in 0..<count {
      let scale = own?.scale ?? normalization.scale(of: index / plane)
      let shift = own?.shift ?? normalization.shift(of: index / plane)
      values[index] = scale * Float(pixels[index]) + shift
    }
  }
}
