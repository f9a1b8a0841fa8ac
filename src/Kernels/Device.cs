namespace MonoLoss.Kernels;

/// <summary>
/// Memory and every kernel that the autoencoders need. B is the number of rows (samples), D of features, M of latents.
/// A kernel's result depends on its inputs and the device alone: the same call gives the same bits, however many threads run it.
/// </summary>
/// <remarks>
/// Weights of encoder and decoder are both M×D, one latent a row. Scalars are float64 in device memory, so that a step can run
/// without waiting for them. Kernels of one device are called from one thread at a time.
/// </remarks>
public abstract class Device : IDisposable
{
    /// <summary>The name that <see cref="DeviceFactory.Open"/> takes.</summary>
    public abstract string Name { get; }

    /// <summary>What the device is, for people.</summary>
    public abstract string Description { get; }

    /// <summary>HostSyncCount until everything asked for so far is done: for measuring. Reading a result waits by itself.</summary>
    public virtual void Synchronize()
    {
    }

    // ---- Memory ----------------------------------------------------------------------------------------------------

    /// <summary>Takes memory for <paramref name="length"/> elements, all zero.</summary>
    public abstract DeviceArray<T> Allocate<T>(long length)
        where T : unmanaged;

    /// <summary>The device's own memory; null where it is the host's.</summary>
    public virtual DeviceMemory? Memory => null;

    /// <summary>The most values that an array may have.</summary>
    public virtual long MaxLength => long.MaxValue;

    /// <summary>Allocates host memory that the device can copy from while its kernels run.</summary>
    /// <param name="length">Number of values.</param>
    public virtual UploadBuffer CreateUploadBuffer(int length) => new HostUploadBuffer(length);

    /// <summary>A new matrix of zeros.</summary>
    public Tensor Tensor(int rows, int columns) => new(this, rows, columns);

    /// <summary>A new sparse matrix without rows.</summary>
    public CsrMatrix CsrMatrix() => new(this);

    // ---- Gemm: dense products --------------------------------------------------------------------------------------

    /// <summary>C = α·op(A)·op(B) + β·C, then + bias (one value a column) and ReLU where asked. With β = 0 C need not hold numbers.</summary>
    public abstract void Gemm(
        bool transposeA, bool transposeB, float alpha, Tensor a, Tensor b, float beta, Tensor c, Tensor? bias = null, bool relu = false);

    /// <summary>y += α · Σ_m weights[m] · matrix[m].</summary>
    /// <param name="alpha">A factor.</param>
    /// <param name="weights">1×M.</param>
    /// <param name="matrix">M×D.</param>
    /// <param name="y">1×D.</param>
    public abstract void AddVectorMatrixProduct(float alpha, Tensor weights, Tensor matrix, Tensor y);

    // ---- Encode: Gemm fused with selection -------------------------------------------------------------------------

    /// <summary>Per row the <paramref name="k"/> largest of x·weightsᵀ + bias, as far as they are positive; ties go to the lowest latent.</summary>
    /// <param name="x">B×D.</param>
    /// <param name="weights">M×D.</param>
    /// <param name="bias">1×M, or null.</param>
    /// <param name="k">0 … M.</param>
    /// <param name="latents">Becomes B×M.</param>
    public abstract void EncodeTopK(Tensor x, Tensor weights, Tensor? bias, int k, CsrMatrix latents);

    /// <summary>
    /// Of all B·M values of ReLU(x·weightsᵀ + bias) the B·<paramref name="k"/> largest positive ones; ties go to the lowest row, then
    /// latent.
    /// </summary>
    /// <param name="x">B×D.</param>
    /// <param name="weights">M×D.</param>
    /// <param name="bias">1×M, or null.</param>
    /// <param name="k">0 … M.</param>
    /// <param name="latents">Becomes B×M.</param>
    /// <returns>The smallest value kept, 0 if none is.</returns>
    public abstract float EncodeBatchTopK(Tensor x, Tensor weights, Tensor? bias, int k, CsrMatrix latents);

    /// <summary>Every value of ReLU(x·weightsᵀ + bias) that is above its latent's bound.</summary>
    /// <param name="x">B×D.</param>
    /// <param name="weights">M×D.</param>
    /// <param name="bias">1×M, or null.</param>
    /// <param name="bounds">1×M, or null for 0. A negative bound keeps the zeros of that latent too.</param>
    /// <param name="latents">Becomes B×M.</param>
    public abstract void EncodeThreshold(Tensor x, Tensor weights, Tensor? bias, Tensor? bounds, CsrMatrix latents);

    // ---- Sparse products -------------------------------------------------------------------------------------------

    /// <summary>Lists the nonzeros of a sparse matrix by column; nothing is done if they are listed already.</summary>
    public abstract void BuildColumnIndex(CsrMatrix s);

    /// <summary>Lists the nonzeros of a matrix that this device has left dense (<see cref="CsrMatrix.Dense"/>), by row and by column.</summary>
    /// <param name="dense">Columns×rows.</param>
    /// <param name="s">Becomes its transpose.</param>
    internal virtual void ListNonzeros(Tensor dense, CsrMatrix s) => throw new NotSupportedException($"{Name} keeps no sparse matrix dense");

    /// <summary>SpMM: result = s·matrix + bias.</summary>
    /// <param name="s">B×M.</param>
    /// <param name="matrix">M×D.</param>
    /// <param name="bias">1×D, or null.</param>
    /// <param name="result">Becomes B×D.</param>
    public abstract void SpMM(CsrMatrix s, Tensor matrix, Tensor? bias, Tensor result);

    /// <summary>SpMM with the transpose: result += sᵀ·x, of the values of s or of its gradient.</summary>
    /// <param name="s">B×M, its columns indexed.</param>
    /// <param name="useGradient">Whether the gradient stands for the values.</param>
    /// <param name="x">B×D.</param>
    /// <param name="result">M×D.</param>
    public abstract void SpMMTransposed(CsrMatrix s, bool useGradient, Tensor x, Tensor result);

    /// <summary>SDDMM: the gradient at every entry (i, m) of s += g[i]·matrix[m].</summary>
    /// <param name="s">B×M.</param>
    /// <param name="g">B×D.</param>
    /// <param name="matrix">M×D.</param>
    public abstract void SDDMM(CsrMatrix s, Tensor g, Tensor matrix);

    /// <summary>sums[m] += Σ of the gradient of latent m.</summary>
    /// <param name="s">B×M, its columns indexed.</param>
    /// <param name="sums">1×M.</param>
    public abstract void SumGradientColumns(CsrMatrix s, Tensor sums);

    /// <summary>How many values are positive, and their sum, into result[0] and result[1].</summary>
    public abstract void SumAndCountPositive(CsrMatrix s, DeviceArray<double> result);

    /// <summary>The gradient += <paramref name="amount"/> wherever the value is positive.</summary>
    public abstract void AddToGradientWherePositive(CsrMatrix s, float amount);

    /// <summary>Replaces the columns of s, indices into <paramref name="list"/>, by the list's ascending entries; s gets <paramref name="columns"/> columns.</summary>
    public abstract void RemapColumns(CsrMatrix s, DeviceArray<int> list, int columns);

    // ---- Rows ------------------------------------------------------------------------------------------------------

    /// <summary>norms[i] = max(‖x_i‖, 1e-8) in float64.</summary>
    public abstract void RowNorms(Tensor x, DeviceArray<double> norms);

    /// <summary>sum[d] += Σ_i x[i, d]/norms[i] in float64.</summary>
    public abstract void SumUnitRows(Tensor x, DeviceArray<double> norms, DeviceArray<double> sum);

    /// <summary>Input layer norm: normalized = (x − mean)/(deviation + 1e-5) a row, with the sample standard deviation (n − 1).</summary>
    /// <param name="x">B×D.</param>
    /// <param name="normalized">Becomes B×D.</param>
    /// <param name="mean">Becomes 1×B.</param>
    /// <param name="deviation">Becomes 1×B.</param>
    public abstract void LayerNorm(Tensor x, Tensor normalized, Tensor mean, Tensor deviation);

    /// <summary>result[i] = x[i]·scale[i] + shift[i]; without shift the row is only scaled.</summary>
    /// <param name="x">B×D.</param>
    /// <param name="scale">1×B.</param>
    /// <param name="shift">1×B, or null.</param>
    /// <param name="result">Becomes B×D; may be x.</param>
    public abstract void ScaleRows(Tensor x, Tensor scale, Tensor? shift, Tensor result);

    /// <summary>result[i] = x[i] + α·row.</summary>
    /// <param name="x">B×D.</param>
    /// <param name="alpha">A factor.</param>
    /// <param name="row">1×D.</param>
    /// <param name="result">Becomes B×D; may be x.</param>
    public abstract void AddRow(Tensor x, float alpha, Tensor row, Tensor result);

    /// <summary>sums[d] += α·Σ_i x[i, d].</summary>
    public abstract void SumColumns(float alpha, Tensor x, Tensor sums);

    /// <summary>result = α·x + β·y, elementwise; result may be x or y.</summary>
    public abstract void LinearCombination(float alpha, Tensor x, float beta, Tensor y, Tensor result);

    /// <summary>Copies the rows of a matrix that a list names.</summary>
    /// <param name="matrix">M×D.</param>
    /// <param name="list">Row numbers.</param>
    /// <param name="result">Becomes (length of list)×D.</param>
    public abstract void GatherRows(Tensor matrix, DeviceArray<int> list, Tensor result);

    /// <summary>Copies the elements of a 1×M vector that a list names.</summary>
    public abstract void GatherElements(Tensor vector, DeviceArray<int> list, Tensor result);

    // ---- Losses ----------------------------------------------------------------------------------------------------

    /// <summary>result[0] = Σ_i w_i · Σ_d (r[i, d] − t[i, d])², where w_i = weight, divided by Σ_d t[i, d]² if <paramref name="relative"/> (a row of zeros counts 0).</summary>
    public abstract void SquaredError(Tensor r, Tensor t, double weight, bool relative, DeviceArray<double> result);

    /// <summary>Adds factor · the gradient of <see cref="SquaredError"/> with respect to r to <paramref name="gradient"/>.</summary>
    public abstract void SquaredErrorGradient(Tensor r, Tensor t, double weight, bool relative, double factor, Tensor gradient);

    /// <summary>Per feature: sums[d] += Σ x, sums[D + d] += Σ x², sums[2D + d] += Σ (x − r)², in float64.</summary>
    public abstract void AccumulateColumnErrors(Tensor x, Tensor r, DeviceArray<double> sums);

    // ---- JumpReLU --------------------------------------------------------------------------------------------------

    /// <summary>
    /// JumpReLU in place: s holds pre-activations ReLU(x·weightsᵀ + bias); they are copied to <paramref name="pre"/> and those
    /// that are not above θ = exp(logThreshold) of their latent become 0.
    /// </summary>
    /// <remarks>
    /// The gradient jumps at θ and at θ ± h/2, so which side a pre-activation is on must not hang on float32 rounding: those that are
    /// closer to an edge than rounding can tell are formed again in float64.
    /// </remarks>
    /// <param name="s">B×M.</param>
    /// <param name="x">B×D.</param>
    /// <param name="weights">M×D.</param>
    /// <param name="bias">1×M.</param>
    /// <param name="logThreshold">1×M.</param>
    /// <param name="bandwidth">h.</param>
    /// <param name="pre">Becomes the pre-activation of every entry.</param>
    public abstract void JumpReLU(
        CsrMatrix s, Tensor x, Tensor weights, Tensor bias, Tensor logThreshold, float bandwidth, DeviceArray<float> pre);

    /// <summary>
    /// Straight-through gradient of JumpReLU and of L0: with rect(t) = 1 for −½ &lt; t &lt; ½ adds to the thresholds' gradient
    /// Σ −(θ/h)·rect((pre − θ)/h)·∂z − l0Factor·(1/h)·rect((z − θ)/h), and sets ∂z to 0 where z is 0.
    /// </summary>
    /// <param name="s">B×M, its columns indexed.</param>
    /// <param name="pre">The pre-activation at every entry.</param>
    /// <param name="logThreshold">1×M.</param>
    /// <param name="bandwidth">h.</param>
    /// <param name="l0Factor">The gradient of the loss with respect to L0.</param>
    /// <param name="gradient">1×M.</param>
    public abstract void JumpReLUGradient(
        CsrMatrix s, DeviceArray<float> pre, Tensor logThreshold, float bandwidth, double l0Factor, Tensor gradient);

    /// <summary>The bounds to encode with for <see cref="JumpReLU"/>: just below exp(logThreshold) − h/2.</summary>
    public abstract void JumpReLUBounds(Tensor logThreshold, float bandwidth, Tensor bounds);

    // ---- MonoScore -------------------------------------------------------------------------------------------------

    /// <summary>
    /// MonoScore of every latent over the batch, with its gradient in the same visit (MonoLoss paper; δ = 1e-8). z must not be
    /// negative.
    /// </summary>
    /// <param name="s">z, B×M, its columns indexed.</param>
    /// <param name="x">B×D; its rows' directions are what is compared.</param>
    /// <param name="norms">The rows' lengths.</param>
    /// <param name="unitRowSum">P = Σ x/‖x‖ over the rows (<see cref="SumUnitRows"/>), D.</param>
    /// <param name="scores">Becomes 1×M, 0 for a latent that is not active.</param>
    /// <param name="gradient">Becomes, for every entry, ∂score/∂z.</param>
    /// <param name="result">Sum of the scores and number of active latents.</param>
    public abstract void MonoScores(
        CsrMatrix s,
        Tensor x,
        DeviceArray<double> norms,
        DeviceArray<double> unitRowSum,
        Tensor scores,
        DeviceArray<float> gradient,
        DeviceArray<double> result);

    /// <summary>How many latents are active in the sense of MonoLoss: Σ_{i&lt;j} a_i·a_j &gt; 1e-8 over the batch.</summary>
    /// <param name="s">z ≥ 0, B×M, its columns indexed.</param>
    /// <param name="norms">The rows' lengths.</param>
    public abstract int CountMonoActive(CsrMatrix s, DeviceArray<double> norms);

    /// <summary>The gradient of s −= factor/result[1] · scoreGradient: MonoLoss's, if result[1] latents are active.</summary>
    public abstract void AddMonoGradient(CsrMatrix s, DeviceArray<float> scoreGradient, DeviceArray<double> result, double factor);

    /// <summary>Adds a batch to the sums that give MonoScore of a whole dataset. z may have any sign.</summary>
    /// <param name="s">z, B×M, its columns indexed.</param>
    /// <param name="x">B×D.</param>
    /// <param name="norms">The rows' lengths.</param>
    /// <param name="sums">The sums so far.</param>
    public abstract void AccumulateMonoScore(CsrMatrix s, Tensor x, DeviceArray<double> norms, MonoScoreSums sums);

    /// <summary>MonoScore of every latent from its sums (dataset's divisor, den + 1e-12).</summary>
    /// <param name="sums">The sums of the whole dataset.</param>
    /// <param name="scores">Becomes M scores.</param>
    public abstract void FinishMonoScore(MonoScoreSums sums, DeviceArray<double> scores);

    /// <summary>
    /// Adds factor · ∂score/∂z of dataset-level MonoScore to the gradient at every entry of a batch, for latents whose score
    /// is not 0. The extremes share their gradient equally among all rows that attain them.
    /// </summary>
    public abstract void AddDatasetMonoGradient(
        CsrMatrix s, Tensor x, DeviceArray<double> norms, MonoScoreSums sums, DeviceArray<double> scores, double factor);

    // ---- Fused backward pass ---------------------------------------------------------------------------------------

    /// <summary>
    /// All that reaches the latents of a batch and all that goes on from them, in one visit to each latent. The same as
    /// <see cref="SDDMM"/>, <see cref="SpMMTransposed"/>, <see cref="MonoScores"/>, <see cref="AddMonoGradient"/>,
    /// <see cref="JumpReLUGradient"/> and <see cref="SumGradientColumns"/> one after another.
    /// </summary>
    public abstract void FusedLatentBackward(in FusedBackwardArgs work);

    // ---- Dead latents ----------------------------------------------------------------------------------------------

    /// <summary>Adds one to the counter of every latent, then sets it to <paramref name="fired"/> where the latent has a positive value in s.</summary>
    /// <param name="s">B×M, its columns indexed.</param>
    /// <param name="counters">M batches since each latent fired.</param>
    /// <param name="fired">What a latent's counter is after a batch it fired in.</param>
    public abstract void UpdateStepsSinceFired(CsrMatrix s, DeviceArray<int> counters, int fired);

    /// <summary>Lists, ascending, the latents whose counter is at least <paramref name="least"/>.</summary>
    /// <returns>How many there are, the length of <paramref name="list"/>.</returns>
    public abstract int FindDead(DeviceArray<int> counters, int least, DeviceArray<int> list);

    // ---- Optimizer -------------------------------------------------------------------------------------------------

    /// <summary>result[0] += Σ x², in float64.</summary>
    public abstract void AddSumSquares(Tensor x, DeviceArray<double> result);

    /// <summary>result[0] += Σ values.</summary>
    public abstract void AddSum(DeviceArray<double> values, DeviceArray<double> result);

    /// <summary>Scales every row to length 1; a row of zeros stays.</summary>
    public abstract void NormalizeRows(Tensor x);

    /// <summary>
    /// Adam with bias correction (Kingma &amp; Ba 2015), reading and writing every parameter once. With
    /// <see cref="AdamStep.UnitRows"/> each row of the parameter is first scaled to length 1, and with
    /// <see cref="AdamStep.Project"/> the part of the gradient along that row is removed.
    /// </summary>
    /// <param name="parameter">Rows×columns.</param>
    /// <param name="gradient">The same shape.</param>
    /// <param name="firstMoment">The same shape.</param>
    /// <param name="secondMoment">The same shape.</param>
    /// <param name="step">The settings of this step.</param>
    public abstract void Adam(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamStep step);

    /// <inheritdoc/>
    public abstract void Dispose();
}
