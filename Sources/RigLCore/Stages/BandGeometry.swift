/// How a convolution's input and output lie in scratch, band by band, so that a kernel finds every
/// operand at a fixed offset: a k×k convolution is then its Toeplitz matrix with rows compressed
/// to offsets.
///
/// A stride s splits the padded input into s² phases (rows and columns by their remainder), of
/// which a kernel narrower than its stride reads only u² with u = min(k, s).
struct BandGeometry {
  let shape: ConvolutionShape
  let input: SampleShape
  let output: SampleShape
  /// Stored phases of rows, and of columns (u).
  let phases: Int
  /// Further rows and columns of a phase that a window reaches: (k - 1) / s.
  let reach: Int
  /// Rows and columns of a phase that lie before the first one with an input pixel: p / s.
  let first: Int
  /// Tiles of the sparse kernels, and rows of a band, going forward and going back.
  let forwardTile: Tile
  let backwardTile: Tile

  /// Forward: the packed input, (sub-row, channel, phase, column, lane), and the product,
  /// (row, channel, column, lane).
  let packed: Scratch
  let product: Scratch
  /// Backward: the output's gradient (row, channel, column, lane), and the activations and their
  /// gradient (sub-row, channel, phase, column, lane).
  let gradient: Scratch
  let activation: Scratch
  /// Rows of the output in a band; sub-rows of the input in a band going back.
  let forwardRows: Int
  let backwardRows: Int

  static let lanes = 8
  /// Bytes of scratch that a band may take, about: constants, because sums depend on bands.
  private static let bandBytes = 1280 << 10

  /// Part of a plane that a kernel holds in registers: columns × rows of vectors.
  struct Tile {
    let columns: Int
    let rows: Int
  }

  /// A band in scratch; strides in elements.
  struct Scratch {
    let channels: Int
    let phases: Int
    let columns: Int
    let rows: Int
    var phaseStride: Int { columns * BandGeometry.lanes }
    var channelStride: Int { phases * phaseStride }
    var rowStride: Int { channels * channelStride }
    var count: Int { rows * rowStride }
  }

  init(_ shape: ConvolutionShape, input: SampleShape, output: SampleShape) {
    self.shape = shape
    self.input = input
    self.output = output
    let (kernel, stride, padding) = (shape.kernel, shape.stride, shape.padding)
    let (phases, reach, first) = (min(kernel, stride), (kernel - 1) / stride, padding / stride)
    (self.phases, self.reach, self.first) = (phases, reach, first)
    let subColumns = (padding + input.width - 1) / stride - first + 1
    let subRows = (padding + input.height - 1) / stride - first + 1

    let forwardTile = BandGeometry.tile(
      width: output.width, height: output.height, BandGeometry.forwardOverheads)
    let backwardTile = BandGeometry.tile(
      width: subColumns, height: subRows, BandGeometry.backwardOverheads)
    (self.forwardTile, self.backwardTile) = (forwardTile, backwardTile)
    let outputColumns = output.width.roundedUp(to: forwardTile.columns)
    let inputColumns = subColumns.roundedUp(to: backwardTile.columns)
    let squared = phases * phases
    func packedScratch(_ rows: Int) -> Scratch {
      Scratch(
        channels: shape.inputs, phases: squared, columns: outputColumns + reach, rows: rows + reach)
    }
    func productScratch(_ rows: Int) -> Scratch {
      Scratch(channels: shape.outputs, phases: 1, columns: outputColumns, rows: rows)
    }
    // Columns that a window reaches before the first input column's, and after the last one's.
    let before = max(reach - first, 0)
    func gradientScratch(_ rows: Int) -> Scratch {
      Scratch(
        channels: shape.outputs, phases: 1, columns: before + inputColumns + first,
        rows: rows + reach)
    }
    func activationScratch(_ rows: Int) -> Scratch {
      Scratch(channels: shape.inputs, phases: squared, columns: inputColumns, rows: rows)
    }
    forwardRows = BandGeometry.rows(output.height, tile: forwardTile) {
      packedScratch($0).count + productScratch($0).count
    }
    backwardRows = BandGeometry.rows(subRows, tile: backwardTile) {
      gradientScratch($0).count + 2 * activationScratch($0).count
    }
    packed = packedScratch(forwardRows)
    product = productScratch(forwardRows)
    gradient = gradientScratch(backwardRows)
    activation = activationScratch(backwardRows)
    gradientBefore = before
    inputSubRows = subRows
    inputSubColumns = subColumns
  }

  /// Zero columns before a row of the output's gradient in scratch.
  let gradientBefore: Int
  /// Sub-rows that hold input pixels.
  let inputSubRows: Int
  /// Columns of a phase that hold input pixels.
  let inputSubColumns: Int

  /// How much longer a vector takes in smaller tiles than in the best one. Measured with AVX-512,
  /// 3×3 at 90 %; AVX2's ratios are the same or nearer to 1.
  private static let forwardOverheads = [
    (Tile(columns: 8, rows: 1), 1.0), (Tile(columns: 4, rows: 2), 1.02),
    (Tile(columns: 4, rows: 1), 1.06), (Tile(columns: 2, rows: 2), 1.06),
    (Tile(columns: 2, rows: 1), 1.25), (Tile(columns: 1, rows: 2), 1.3),
    (Tile(columns: 1, rows: 1), 1.9),
  ]
  private static let backwardOverheads = [
    (Tile(columns: 4, rows: 2), 1.0), (Tile(columns: 8, rows: 1), 1.03),
    (Tile(columns: 4, rows: 1), 1.22), (Tile(columns: 2, rows: 2), 1.22),
    (Tile(columns: 2, rows: 1), 1.55), (Tile(columns: 1, rows: 2), 1.85),
    (Tile(columns: 1, rows: 1), 2.8),
  ]

  /// The quickest tile for a plane: columns beyond a row's end are work for nothing, and so is a row
  /// beyond the plane's.
  private static func tile(width: Int, height: Int, _ overheads: [(Tile, Double)]) -> Tile {
    var best = (cost: Double.infinity, tile: Tile(columns: 1, rows: 1))
    for (tile, overhead) in overheads {
      let vectors = width.roundedUp(to: tile.columns) * height.roundedUp(to: tile.rows)
      let cost = Double(vectors) * overhead
      if cost < best.cost { best = (cost, tile) }
    }
    return best.tile
  }

  /// Rows of a band: 4, or 2, or 1 where scratch would be too large; whole tiles.
  private static func rows(_ height: Int, tile: Tile, _ count: (Int) -> Int) -> Int {
    for rows in [4, 2] where count(rows) * MemoryLayout<Float>.stride <= bandBytes {
      return min(rows, height).roundedUp(to: tile.rows)
    }
    return tile.rows
  }

  /// Bands of a group going forward, and going back.
  var forwardBands: Int { output.height.dividedUp(by: forwardRows) }
  var backwardBands: Int { inputSubRows.dividedUp(by: backwardRows) }

  /// Floats of scratch that a thread needs.
  var scratchCount: Int {
    max(
      packed.count + product.count,
      gradient.count + activation.count
        + max(activation.count, backwardRows * transposedRowCount))
  }

  /// Floats of a phase of an input row with its channels innermost.
  var transposedRowCount: Int {
    inputSubColumns * BandGeometry.lanes * DenseTaps.transposedWidth(shape.inputs)
  }

  /// Floats of scratch for the dense gradient of some output channels: their gradient, a band of the
  /// input as it is and transposed, and the weights' gradient by tap.
  func growthScratchCount(outputs: Int) -> Int {
    gradient.count + activation.count + backwardRows * transposedRowCount
      + outputs * shape.inputs * shape.taps
  }

  // MARK: - Taps

  /// Where a tap's operand lies in `packed`, from the place of the output pixel.
  var forwardTaps: [Int32] {
    taps { ky, kx in
      (ky / shape.stride) * packed.rowStride + (kx / shape.stride) * BandGeometry.lanes
        + phase(ky, kx) * packed.phaseStride
    }
  }

  /// The element offsets, one a tap, to be taken off an input pixel's place in `gradient`.
  var backwardTaps: [Int32] {
    taps { ky, kx in
      (ky / shape.stride) * gradient.rowStride + (kx / shape.stride) * BandGeometry.lanes
    }
  }

  /// The phase that each tap reads.
  var tapPhases: [Int32] { taps(phase) }

  private func phase(_ ky: Int, _ kx: Int) -> Int {
    (ky % shape.stride) * phases + kx % shape.stride
  }

  private func taps(_ value: (Int, Int) -> Int) -> [Int32] {
    (0..<shape.taps).map { Int32(value($0 / shape.kernel, $0 % shape.kernel)) }
  }

  /// Where the operand of tap (0, 0) of the first input pixel of a band lies in `gradient`.
  var gradientOrigin: Int {
    reach * gradient.rowStride + (gradientBefore + first) * BandGeometry.lanes
  }

  /// The output row that is row 0 of `gradient` in the band that begins with a sub-row.
  func firstGradientRow(subRow: Int) -> Int { subRow + first - reach }
}

extension Int {
  /// The smallest multiple of `step` that is not less.
  func roundedUp(to step: Int) -> Int { (self + step - 1) / step * step }
}
