using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;

namespace Alebrije.Server.Reference;

/// <summary><c>/openapi/v1.json</c>: the addresses of <see cref="ApiTable"/> as an OpenAPI document.</summary>
internal static class ApiDocument
{
    private const string Json = "application/json", Key = "key", OpenAiError = "Error", Problem = "Problem";

    public static void Add(IServiceCollection services) => services.AddOpenApi("v1", options =>
    {
        // The entries below replace the types inferred from the handlers, which read their bodies themselves.
        options.ShouldInclude = _ => false;
        options.AddDocumentTransformer((document, _, _) =>
        {
            Fill(document);
            return Task.CompletedTask;
        });
    });

    public static void Map(WebApplication app) => app.MapOpenApi("/openapi/{documentName}.json");

    private static void Fill(OpenApiDocument document)
    {
        document.Info = new OpenApiInfo
        {
            Title = "Alebrije", Version = "1", Description = "Images, embeddings and the chain between them, on this machine.",
        };
        document.Servers = [];
        document.Components = new OpenApiComponents
        {
            Schemas = new Dictionary<string, IOpenApiSchema>
            {
                [OpenAiError] = Object("error:object!"),
                [Problem] = Object("type:string title:string status:integer detail:string instance:string param:string code:string"),
            },
            SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
            {
                [Key] = new OpenApiSecurityScheme
                {
                    Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "A key of alebrije serve --key, if one is set.",
                },
            },
        };
        document.Tags = new HashSet<OpenApiTag>(
            ApiTable.All.Select(entry => entry.Tag).Distinct().Select(tag => new OpenApiTag { Name = tag }));
        document.Paths = [];
        foreach (var path in ApiTable.All.GroupBy(entry => entry.Path))
            document.Paths[path.Key] = new OpenApiPathItem
            {
                Operations = path.ToDictionary(entry => HttpMethod.Parse(entry.Method), entry => Operation(document, entry)),
            };
        document.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Key, document)] = [] }, []];
    }

    private static OpenApiOperation Operation(OpenApiDocument document, ApiEntry entry)
    {
        var operation = new OpenApiOperation
        {
            Summary = entry.Summary, OperationId = Id(entry),
            Tags = new HashSet<OpenApiTagReference> { new(entry.Tag, document) },
            Parameters = [.. Parameters(entry)], Responses = Responses(document, entry),
        };
        if (entry.Body is { } body) operation.RequestBody = new OpenApiRequestBody
        {
            Required = true,
            Content = new Dictionary<string, OpenApiMediaType>
            {
                [entry.IsForm ? "multipart/form-data" : Json] = new()
                {
                    Schema = Object(body), Example = entry.Example is { } example ? JsonNode.Parse(example) : null,
                },
            },
        };
        return operation;
    }

    private static IEnumerable<IOpenApiParameter> Parameters(ApiEntry entry) =>
        entry.Path.Split('/').Where(part => part.StartsWith('{')).Select(part => new OpenApiParameter
        {
            Name = part.Trim('{', '}'), In = ParameterLocation.Path, Required = true, Schema = Schema("string"),
        }).Concat(Split(entry.Query).Select(field => new OpenApiParameter
        {
            Name = field.Name, In = ParameterLocation.Query, Schema = Schema(field.Type),
            Description = ApiFields.Text.GetValueOrDefault(field.Name),
        }));

    private static OpenApiResponses Responses(OpenApiDocument document, ApiEntry entry)
    {
        var success = new OpenApiResponse { Description = entry.Status == 204 ? "Done" : "The answer" };
        if (entry.Status != 204)
        {
            success.Content = new Dictionary<string, OpenApiMediaType>
            {
                [entry.Type] = new() { Schema = entry.Answer.Length > 0 ? Object(entry.Answer) : new OpenApiSchema() },
            };
            if (entry.Streams) success.Content["text/event-stream"] = new() { Schema = Schema("string") };
        }

        var responses = new OpenApiResponses { [$"{entry.Status}"] = success };
        foreach (var (status, description) in new[]
        {
            ("400", "Invalid value"), ("401", "A key is needed"), ("404", "No such address, model or job"),
            ("413", "The body is too large"), ("429", "Too many requests; Retry-After gives seconds"),
            ("503", "Busy; Retry-After gives seconds"),
        })
            responses[status] = new OpenApiResponse
            {
                Description = description,
                Content = new Dictionary<string, OpenApiMediaType>
                {
                    [entry.IsOpenAi ? Json : "application/problem+json"] = new()
                    {
                        Schema = new OpenApiSchemaReference(entry.IsOpenAi ? OpenAiError : Problem, document),
                    },
                },
            };
        return responses;
    }

    private static OpenApiSchema Object(string fields)
    {
        var split = Split(fields).ToArray();
        return new OpenApiSchema
        {
            Type = JsonSchemaType.Object,
            Properties = split.ToDictionary(field => field.Name, field => (IOpenApiSchema)Schema(field.Type, field.Name)),
            Required = new HashSet<string>(split.Where(field => field.IsNeeded).Select(field => field.Name)),
        };
    }

    private static OpenApiSchema Schema(string type, string? name = null)
    {
        var schema = type switch
        {
            "any" => new OpenApiSchema(),
            "strings" => new OpenApiSchema { Type = JsonSchemaType.Array, Items = Schema("string") },
            "objects" => new OpenApiSchema { Type = JsonSchemaType.Array, Items = Schema("object") },
            "file" => new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary" },
            "integer" => new OpenApiSchema { Type = JsonSchemaType.Integer },
            "number" => new OpenApiSchema { Type = JsonSchemaType.Number },
            "boolean" => new OpenApiSchema { Type = JsonSchemaType.Boolean },
            "object" => new OpenApiSchema { Type = JsonSchemaType.Object },
            _ => new OpenApiSchema { Type = JsonSchemaType.String },
        };
        schema.Description = name is null ? null : ApiFields.Text.GetValueOrDefault(name);
        return schema;
    }

    private static IEnumerable<(string Name, string Type, bool IsNeeded)> Split(string fields) =>
        fields.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(field => field.Split(':'))
            .Select(parts => (parts[0], parts[1].TrimEnd('!'), parts[1].EndsWith('!')));

    private static string Id(ApiEntry entry) => $"{entry.Method.ToLowerInvariant()}{string.Concat(entry.Path.Split('/', '{', '}', '-')
        .Where(part => part.Length > 0).Select(part => $"{char.ToUpperInvariant(part[0])}{part[1..]}"))}";
}
