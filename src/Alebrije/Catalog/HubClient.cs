using System.Net;
using System.Net.Http.Headers;

namespace Alebrije.Catalog;

/// <summary>
/// The hub's public HTTP interface: <c>/api/models/OWNER/NAME/revision/REVISION</c> (list), <c>/OWNER/NAME/resolve/COMMIT/PATH</c> (file).
/// Redirects are followed here and not by the platform, since the token may go to the hub alone.
/// </summary>
internal sealed class HubClient : IDisposable
{
    private const int MostRedirects = 10;
    private const int LongestAnswer = 64 << 20;
    private readonly HubSettings settings;
    private readonly HttpClient http;
    private bool wasReached;
    private TimeSpan waited;

    public HubClient(HubSettings settings)
    {
        this.settings = settings;
        http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false, UseCookies = false, AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = settings.StallTimeout,
            MaxResponseHeadersLength = 64, PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        }) { Timeout = Timeout.InfiniteTimeSpan };
        http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("alebrije",
            typeof(HubClient).Assembly.GetName().Version?.ToString(3) ?? "0"));
    }

    /// <summary>Called before each wait for a retry with the error and the time to wait.</summary>
    public Action<string, TimeSpan>? OnRetry { get; set; }

    public void Dispose() => http.Dispose();

    /// <summary>Files of a revision.</summary>
    /// <exception cref="HubException">The hub refuses or cannot be reached.</exception>
    public Task<HubListing> ListAsync(HubRepository repository, string revision, CancellationToken cancellation) => RetryAsync(async () =>
    {
        using var answer = await OpenAsync(HttpMethod.Get,
            At($"api/models/{repository}/revision/{Uri.EscapeDataString(revision)}?blobs=true"), 0, cancellation);
        if (!answer.Response.IsSuccessStatusCode) throw new HubRefusal(settings, repository, revision).Of(answer.Response);
        return HubListing.Parse(repository, await ReadAllAsync(answer.Response, LongestAnswer, cancellation));
    }, cancellation);

    /// <summary>Size and hash of a file whose list entry lacks them, from the headers that its address answers with.</summary>
    /// <exception cref="HubException">The hub refuses, or its answer lacks them.</exception>
    public Task<HubFile> DescribeAsync(HubRepository repository, string commit, HubFile file, CancellationToken cancellation) =>
        RetryAsync(async () =>
    {
        using var answer = await OpenAsync(HttpMethod.Head, Resolve(repository, commit, file), 0, cancellation, stayHere: true);
        var response = answer.Response;
        if ((int)response.StatusCode >= 400) throw new HubRefusal(settings, repository, commit, file.Path).Of(response);
        var size = Header(response, "X-Linked-Size") is { } linked
            && long.TryParse(linked, out var bytes) ? bytes : response.Content.Headers.ContentLength ?? -1;
        var described = new HubFile(file.Path, size, EtagOf(response) is { } tag && HubFile.IsHash(tag) ? tag : "");
        return described.IsKnown ? described
            : throw new HubException($"{settings.Endpoint.Host} does not "
                + $"report the size and hash of {file.Path}, so it cannot be checked; nothing was fetched.");
    }, cancellation);

    /// <summary>Requests a file from a byte offset on, and compares the response's headers with the list.</summary>
    /// <exception cref="HubException">The hub refuses, or holds another file by now.</exception>
    /// <exception cref="TransientHubException">It may go well at the next try.</exception>
    public async Task<HttpResponseMessage> OpenFileAsync(HubRepository repository,
        string commit, HubFile file, long from, CancellationToken cancellation)
    {
        var answer = await OpenAsync(HttpMethod.Get, Resolve(repository, commit, file), from, cancellation);
        try
        {
            var status = answer.Response.StatusCode;
            if (status != HttpStatusCode.RequestedRangeNotSatisfiable && !answer.Response.IsSuccessStatusCode)
            {
                // An address of another host is signed for a short time only: asking the hub again gives a new one.
                if (answer.IsElsewhere && status is HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized)
                    throw new TransientHubException($"{answer.Response.RequestMessage!.RequestUri!.Host} answered {(int)status}");
                throw new HubRefusal(settings, repository, commit, file.Path).Of(answer.Response);
            }

            if (answer.Commit is { } other && other != commit) throw new HubException(
                $"The hub answers for {file.Path} with commit {Short(other)} instead of {Short(commit)}; try again.");
            if (answer.Hash is { } hash && HubFile.IsHash(hash) && hash != file.Hash)
                throw new HubException($"The hub reports another hash for {file.Path} "
                    + $"than its own list does; try again. If the error persists, the repository is damaged.");
            return answer.Response;
        }
        catch
        {
            answer.Dispose();
            throw;
        }
    }

    /// <summary>Measures the rate of one connection.</summary>
    public HubRate Rate() => new(settings);

    /// <summary>
    /// Reads on; a connection that brings nothing for the stall time, or less than the least rate, or breaks, may be tried again.
    /// </summary>
    /// <param name="body">Body of an answer.</param>
    /// <param name="rate">Rate of its connection.</param>
    /// <param name="buffer">Target.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <returns>Bytes read; 0 at the end.</returns>
    public async ValueTask<int> ReadAsync(Stream body, HubRate rate, Memory<byte> buffer, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(settings.StallTimeout);
        try
        {
            return await rate.MeasureAsync(() => body.ReadAsync(buffer, patience.Token));
        }
        catch (Exception) when (cancellation.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellation);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or HttpRequestException)
        {
            throw e is OperationCanceledException ? Stalled(e) : new TransientHubException("the connection broke", null, e);
        }
    }

    /// <summary>Tries until it goes well, is refused, or has failed as often as allowed.</summary>
    public async Task<T> RetryAsync<T>(Func<Task<T>> action, CancellationToken cancellation)
    {
        for (var failures = 1; ; failures++)
        {
            try
            {
                return await action();
            }
            catch (TransientHubException e)
            {
                await WaitAsync(e, failures, keepsBytes: false, cancellation);
            }
        }
    }

    /// <summary>Waits before the next try.</summary>
    /// <param name="failure">The error.</param>
    /// <param name="failures">Number of failures in a row.</param>
    /// <param name="keepsBytes">True if a further run finds some of the model on the disk.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="HubException">There have been enough.</exception>
    public async Task WaitAsync(TransientHubException failure, int failures, bool keepsBytes, CancellationToken cancellation)
    {
        if (failures >= settings.Attempts)
        {
            var outcome = keepsBytes
                ? "the fetched part is kept, and the same command continues from there" : "nothing was fetched, try again later";
            throw new HubException(
                $"{settings.Endpoint.Host}: {failure.Message}, {failures} times in a row; {outcome}.", failure);
        }

        var wait = settings.Backoff * Math.Pow(2, failures - 1);
        if (failure.After is { } asked && asked > wait) wait = asked;
        if (wait > settings.LongestBackoff) wait = settings.LongestBackoff;
        if (failures == 1) waited = TimeSpan.Zero;
        if ((waited += wait) > settings.RetryLimit)
            throw new HubException(FormattableString.Invariant($"{settings.Endpoint.Host}: {failure.Message}; retries may wait ")
                + FormattableString.Invariant($"{settings.RetryLimit.TotalSeconds:0.#} s together (ALEBRIJE_HUB_RETRY_LIMIT); try later."),
                failure);
        OnRetry?.Invoke(failure.Message, wait);
        await Task.Delay(wait, cancellation);
    }

    /// <summary>The etag without quotes and mark of weakness: the hub's own for large files, else the file's.</summary>
    private static string? EtagOf(HttpResponseMessage response) =>
        (Header(response, "X-Linked-Etag") ?? Header(response, "ETag"))?.Replace("W/", "", StringComparison.Ordinal).Trim('"');

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values)
        || response.Content.Headers.TryGetValues(name, out values) ? values.First() : null;

    private static string Short(string commit) => commit[..Math.Min(8, commit.Length)];

    private TransientHubException Stalled(Exception inner) => new(string.Create(System.Globalization.CultureInfo.InvariantCulture,
        $"nothing came for {settings.StallTimeout.TotalSeconds:0.#} s"), null, inner);

    private Uri At(string path) => new($"{settings.Endpoint.AbsoluteUri.TrimEnd('/')}/{path}");

    private Uri Resolve(HubRepository repository, string commit, HubFile file) =>
        At($"{repository}/resolve/{commit}/{string.Join('/', file.Path.Split('/').Select(Uri.EscapeDataString))}");

    private async Task<Answer> OpenAsync(HttpMethod method, Uri address, long from, CancellationToken cancellation, bool stayHere = false)
    {
        string? commit = null, hash = null;
        for (var hop = 0; hop <= MostRedirects; hop++)
        {
            using var request = new HttpRequestMessage(method, address);
            if (from > 0) request.Headers.Range = new RangeHeaderValue(from, null);
            if (settings.Token is { } token && MaySeeToken(address))
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            var response = await SendAsync(request, cancellation);
            try
            {
                // Only the hub itself reports the commit and the hash; a store behind it has etags of its own.
                if (IsHere(address)) (commit, hash)
                    = (commit ?? Header(response, "X-Repo-Commit"), hash ?? Header(response, "X-Linked-Etag")?.Trim('"'));
                if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308))
                    return new Answer(response, commit, hash, !IsHere(address));
                var next = response.Headers.Location is { } location ? new Uri(address, location)
                    : throw new HubException($"{address.Host} redirects without a target.");
                if (next.Scheme is not ("http" or "https") || (address.Scheme == "https" && next.Scheme == "http"))
                    throw new HubException($"{address.Host} redirects from https to {next.Scheme}, which is not followed.");
                if (stayHere && !IsHere(next)) return new Answer(response, commit, hash, false);
                address = next;
            }
            catch
            {
                response.Dispose();
                throw;
            }

            response.Dispose();
        }

        throw new HubException($"{settings.Endpoint.Host} redirects in a circle.");
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(settings.StallTimeout);
        HttpResponseMessage response;
        try
        {
            response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
        }
        catch (Exception) when (cancellation.IsCancellationRequested)
        {
            // The platform may report a cancellation as the socket's exception.
            throw new OperationCanceledException(cancellation);
        }
        catch (OperationCanceledException e)
        {
            throw Stalled(e);
        }
        catch (HttpRequestException e)
        {
            var problem = HubRefusal.Unreachable(request.RequestUri!, e);

            // A machine that was online may lose its network for a while; one that never was has nothing to wait for.
            throw !wasReached && HubRefusal.IsOffline(e) ? new HubException($"Nothing was fetched: {problem}.", e)
                : new TransientHubException(problem, null, e);
        }

        wasReached = true;

        if ((int)response.StatusCode is not (408 or 429 or >= 500)) return response;
        using (response)
        {
            var after = response.Headers.RetryAfter?.Delta ?? response.Headers.RetryAfter?.Date - DateTimeOffset.UtcNow;
            throw new TransientHubException((int)response.StatusCode == 429
                ? "too many requests (429)" : $"the server answered {(int)response.StatusCode}", after);
        }
    }

    private async Task<byte[]> ReadAllAsync(HttpResponseMessage response, int most, CancellationToken cancellation)
    {
        using var all = new MemoryStream();
        await using var body = await response.Content.ReadAsStreamAsync(cancellation);
        var (buffer, rate) = (new byte[1 << 16], Rate());
        while (await ReadAsync(body, rate, buffer, cancellation) is > 0 and var read)
        {
            if (all.Length + read > most) throw new HubException(
                $"{settings.Endpoint.Host} returned more than {most >> 20} MB for a list of files.");
            all.Write(buffer, 0, read);
        }

        return all.ToArray();
    }

    private bool IsHere(Uri address) => address.Scheme == settings.Endpoint.Scheme
        && address.IdnHost == settings.Endpoint.IdnHost && address.Port == settings.Endpoint.Port;

    private bool MaySeeToken(Uri address) => IsHere(address) && (address.Scheme == "https" || address.IsLoopback);

    private sealed record Answer(HttpResponseMessage Response, string? Commit, string? Hash, bool IsElsewhere) : IDisposable
    {
        public void Dispose() => Response.Dispose();
    }
}
