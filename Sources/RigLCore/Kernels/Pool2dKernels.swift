internal import CSparseKernels

/// The windows of a pooling layer.
struct PoolingWindow: Hashable {
  let kernel: Int
  let stride: Int
  let padding: Int

  fileprivate var view: csk_window {
    csk_window(kernel: Int32(kernel), stride: Int32(stride), padding: Int32(padding))
  }
}

/// The rows of a plane that a window sees, null where it is clipped.
@unsafe
struct WindowRows {
  /// Windows are at most 15 high.
  private var rows: InlineArray<15, UnsafeMutablePointer<Float>?> = unsafe .init(repeating: nil)
  let shape: SampleShape

  init(shape: SampleShape) { unsafe self.shape = shape }

  subscript(_ index: Int) -> UnsafeMutablePointer<Float>? {
    get { unsafe rows[index] }
    set { unsafe rows[index] = newValue }
  }

  /// Writes a row of max-pooling: the largest element of each window.
  mutating func maximum(
    _ window: PoolingWindow, into y: PlaneRow, indices: UnsafeMutablePointer<UInt8>?
  ) {
    var view = window.view
    let (channels, width) = unsafe (Int32(shape.channels), Int32(shape.width))
    let status = unsafe withUnsafePointer(to: &rows) { rows in
      unsafe csk_max_pool_row(
        UnsafeRawPointer(rows).assumingMemoryBound(to: UnsafePointer<Float>?.self), channels,
        width, Int32(y.width), &view, y.base, indices)
    }
    expectOK(status, "csk_max_pool_row")
  }

  /// Adds a row's gradient to that of the elements that were chosen.
  mutating func addMaximumGradient(
    _ window: PoolingWindow, _ gradient: PlaneRow, indices: UnsafePointer<UInt8>
  ) {
    var view = window.view
    let (channels, width) = unsafe (Int32(shape.channels), Int32(shape.width))
    let status = unsafe withUnsafePointer(to: &rows) { rows in
      unsafe csk_max_pool_gradient_row(
        gradient.base, indices, channels, width, Int32(gradient.width), &view,
        UnsafeRawPointer(rows).assumingMemoryBound(to: UnsafeMutablePointer<Float>?.self))
    }
    expectOK(status, "csk_max_pool_gradient_row")
  }

  /// Writes a row of average pooling: the mean of each window's elements that exist.
  mutating func average(_ window: PoolingWindow, into y: PlaneRow) {
    var view = window.view
    let (channels, width) = unsafe (Int32(shape.channels), Int32(shape.width))
    let status = unsafe withUnsafePointer(to: &rows) { rows in
      unsafe csk_average_pool_row(
        UnsafeRawPointer(rows).assumingMemoryBound(to: UnsafePointer<Float>?.self), channels,
        width, Int32(y.width), &view, y.base)
    }
    expectOK(status, "csk_average_pool_row")
  }

  /// Adds a row's gradient to that of the elements of each window.
  mutating func addAverageGradient(_ window: PoolingWindow, _ gradient: PlaneRow) {
    var view = window.view
    let (channels, width) = unsafe (Int32(shape.channels), Int32(shape.width))
    let status = unsafe withUnsafePointer(to: &rows) { rows in
      unsafe csk_average_pool_gradient_row(
        gradient.base, channels, width, Int32(gradient.width), &view,
        UnsafeRawPointer(rows).assumingMemoryBound(to: UnsafeMutablePointer<Float>?.self))
    }
    expectOK(status, "csk_average_pool_gradient_row")
  }
}
